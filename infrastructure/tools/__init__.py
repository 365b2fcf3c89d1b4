"""Tools of the repository: set-up, what is derived (OpenAPI document, samples), the parts, the tests of a change."""
