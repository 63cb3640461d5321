"""The page's server: what the browser asks for and what people do there."""
