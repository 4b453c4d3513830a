"""Reading a tenant's past to learn from it how renewals are lost."""
