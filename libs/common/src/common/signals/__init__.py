"""What is tested about one account, as pure arithmetic: the engine asks it of now, a replay of every day of the past."""
