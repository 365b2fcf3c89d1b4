"""The only room that speaks to AWS. Endpoints, region and credentials come from the standard AWS variables."""
