"""Pure rules of alerting: verdicts, episodes, cases, gates, schedules. No clock, no I/O."""
