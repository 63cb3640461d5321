"""The page's server: answers the browser, and does what people do there."""
