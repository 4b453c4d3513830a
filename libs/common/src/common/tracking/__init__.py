"""Whether what should arrive does arrive: judged across accounts, so that a broken pipeline is not taken for customers who leave. Pure."""
