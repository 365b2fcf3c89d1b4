"""Mail (in-app notifications and webhooks follow). A new mail is a template folder and an entry in `domain.MAILS`."""
