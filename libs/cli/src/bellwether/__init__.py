"""The bellwether command: the local stack, loading, migrations, keys and diagnosis."""
