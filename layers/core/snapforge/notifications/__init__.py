"""Mail (in-app notifications and push follow). What is said stands in `messages`; here it is sent, once."""
