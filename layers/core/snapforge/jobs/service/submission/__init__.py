"""From a request to a job: what is offered, what it costs, whether the photos will do."""
