"""What the gateway says of itself: its models, its OpenAPI document, and a page to try it."""
