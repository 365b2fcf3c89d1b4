"""Tools of the repository: set-up, the OpenAPI document, the list of parts."""
