/* A provider that answers every request with the same bytes, as fast as one thread can.

   mock_upstream REPLY_FILE [DELAY_MS]: prints the port it took on 127.0.0.1, and runs until it is killed. REPLY_FILE
   holds the whole reply, head included. Requests have a Content-Length; their bodies are read and forgotten. With a
   delay each reply goes out that long after its request is complete; other requests are served meanwhile. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 4096, MAX_HEAD = 16384, CHUNK = 1 << 18, MAX_WAITING = 1 << 16, MS = 1000000 };

struct connection {
    uint64_t id; /* A descriptor may belong to another connection by the time a reply is due. */
    char head[MAX_HEAD + 1];
    size_t head_length;
    size_t body_left;
    int in_body;
};

struct waiting {
    uint64_t due;
    uint64_t id;
    int fd;
};

static struct connection *connections[MAX_CONNECTIONS];
static uint64_t connections_made;
static char chunk[CHUNK];
static char *reply;
static size_t reply_length;

/* Replies that are not yet due. All wait equally long, so that the order of arrival is that of the times. */
static struct waiting queue[MAX_WAITING];
static size_t queue_start, queue_end;
static uint64_t delay;
static int timer = -1;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void read_reply(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    fseek(file, 0, SEEK_END);
    reply_length = (size_t)ftell(file);
    rewind(file);
    reply = malloc(reply_length);
    if (!reply || fread(reply, 1, reply_length, file) != reply_length) fail(path);
    fclose(file);
}

static void close_connection(int fd) {
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

static int send_reply(int fd) {
    size_t sent = 0;
    while (sent < reply_length) {
        ssize_t count = send(fd, reply + sent, reply_length - sent, MSG_NOSIGNAL);
        if (count > 0) {
            sent += (size_t)count;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {fd, POLLOUT, 0};
            if (poll(&writable, 1, 5000) <= 0) return -1;
        } else {
            return -1;
        }
    }
    return 0;
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 * MS + (uint64_t)time.tv_nsec;
}

static void wake_at(uint64_t due) {
    struct itimerspec when = {.it_value = {(time_t)(due / (1000 * MS)), (long)(due % (1000 * MS))}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int answer(int fd) {
    if (!delay) return send_reply(fd);
    if (queue_end - queue_start == MAX_WAITING) return -1;
    queue[queue_end % MAX_WAITING] = (struct waiting){now() + delay, connections[fd]->id, fd};
    if (queue_start == queue_end++) wake_at(queue[queue_start % MAX_WAITING].due);
    return 0;
}

static void answer_due(void) {
    uint64_t expired;
    if (read(timer, &expired, sizeof expired) < 0) return;
    uint64_t time = now();
    while (queue_start != queue_end) {
        struct waiting first = queue[queue_start % MAX_WAITING];
        if (first.due > time) {
            wake_at(first.due);
            return;
        }
        queue_start++;
        struct connection *one = connections[first.fd];
        if (one && one->id == first.id && send_reply(first.fd) < 0) close_connection(first.fd);
    }
}

/* Takes in bytes of a request; several may come at once. Returns -1 when the connection has to be closed. */
static int take(int fd, struct connection *one, const char *data, size_t length) {
    while (length > 0) {
        if (!one->in_body) {
            size_t room = MAX_HEAD - one->head_length, part = length < room ? length : room, before = one->head_length;
            memcpy(one->head + before, data, part);
            one->head_length += part;
            one->head[one->head_length] = 0;
            char *end = memmem(one->head, one->head_length, "\r\n\r\n", 4);
            if (!end) {
                if (one->head_length == MAX_HEAD) return -1;
                return 0;
            }
            size_t used = (size_t)(end - one->head) + 4 - before;
            data += used;
            length -= used;
            *end = 0;
            char *field = strcasestr(one->head, "\r\ncontent-length:");
            one->body_left = field ? strtoul(field + 17, NULL, 10) : 0;
            one->in_body = 1;
        }
        size_t part = length < one->body_left ? length : one->body_left;
        data += part;
        length -= part;
        one->body_left -= part;
        if (one->body_left == 0) {
            one->in_body = 0;
            one->head_length = 0;
            if (answer(fd) < 0) return -1;
        }
    }
    return 0;
}

static void serve(int fd) {
    for (;;) {
        ssize_t count = recv(fd, chunk, sizeof chunk, 0);
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0 || take(fd, connections[fd], chunk, (size_t)count) < 0) {
            close_connection(fd);
            return;
        }
        if ((size_t)count < sizeof chunk) return;
    }
}

static void accept_all(int listener, int poller) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK), on = 1;
        if (fd < 0) return;
        if (fd >= MAX_CONNECTIONS || !(connections[fd] = calloc(1, sizeof **connections))) {
            close(fd);
            continue;
        }
        connections[fd]->id = ++connections_made;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

int main(int count, char **arguments) {
    if (count != 2 && count != 3) {
        fprintf(stderr, "usage: mock_upstream REPLY_FILE [DELAY_MS]\n");
        return 2;
    }
    read_reply(arguments[1]);
    delay = count == 3 ? strtoull(arguments[2], NULL, 10) * MS : 0;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024)) fail("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &size)) fail("getsockname");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    int poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (timer < 0) fail("timerfd_create");
    event.data.fd = timer;
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
    for (;;) {
        int ready = epoll_wait(poller, events, 256, -1);
        for (int at = 0; at < ready; at++) {
            if (events[at].data.fd == listener) {
                accept_all(listener, poller);
            } else if (events[at].data.fd == timer) {
                answer_due();
            } else {
                serve(events[at].data.fd);
            }
        }
    }
}
