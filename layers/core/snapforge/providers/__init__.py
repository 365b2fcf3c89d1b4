"""Others who draw pictures or judge prompts for us, each behind one protocol. The only room that imports httpx."""
