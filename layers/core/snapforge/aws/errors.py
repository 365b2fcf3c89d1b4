"""What AWS calls raise, for callers that must not name the SDK."""

from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

AwsError = (ClientError, BotoCoreError, PynamoDBException)
"""For `except AwsError:`."""
