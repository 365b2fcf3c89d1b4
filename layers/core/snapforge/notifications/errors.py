"""What can go wrong with mail. Nobody sees these over HTTP: the queue redelivers."""


class DeliveryInProgress(RuntimeError):
    """Another sender holds this mail; if it dies, the queue's next delivery finds the claim free."""
