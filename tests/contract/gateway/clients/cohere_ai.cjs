// The official npm client: CohereClient (v1) and CohereClientV2. A call a line on standard input, its outcome a line
// on standard output, as in calls.py. The client writes names in camel case; they are told as JSON has them.
const { createInterface } = require("node:readline");
const cohere = require("cohere-ai");

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

// The documents are the caller's own: their members keep their names.
const renamed = (value, rename) => {
    if (Array.isArray(value)) return value.map((member) => renamed(member, rename));
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value).map(([name, member]) => [
        rename(name),
        ["document", "documents"].includes(name) ? member : renamed(member, rename),
    ]);
    return Object.fromEntries(entries);
};

const call = async ({ client, base_url, api_key, method, arguments: given, max_retries }) => {
    const made = new cohere[client]({ token: api_key, environment: base_url });
    const options = max_retries === undefined ? {} : { maxRetries: max_retries };
    const [owner, name] = method.includes(".") ? method.split(".") : [null, method];
    const holder = owner === null ? made : made[owner];
    return renamed(await holder[name](renamed(given, camel), options), snake);
};

const raised = (error) => ({
    raised: error.constructor.name,
    status: error.statusCode ?? null,
    body: error.body ?? null,
    headers: error.rawResponse ? Object.fromEntries(error.rawResponse.headers.entries()) : {},
    text: String(error.message),
});

const answerCalls = async () => {
    for await (const line of createInterface({ input: process.stdin })) {
        let outcome;
        try {
            outcome = { returned: await call(JSON.parse(line)) };
        } catch (error) {
            outcome = raised(error);
        }
        console.log(JSON.stringify(outcome));
    }
};

answerCalls();
