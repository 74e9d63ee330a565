"""The phantom clinic: a seeded simulator of a teledermatology service that knows the truth about its labels."""
