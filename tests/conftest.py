"""What all tests share. Fixtures live in tests/support, a file a subject."""

pytest_plugins = ["tests.support.parts", "tests.support.aws", "tests.support.region"]
