"""What is said to whom when something happens. Notifications send it; webhooks and in-app lists read the same table."""
