"""Running a deployment: health, and what each context owns."""
