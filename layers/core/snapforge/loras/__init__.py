"""LoRAs: personal adapters. What belongs to an org, which versions it has, whether it may be used, and its end."""
