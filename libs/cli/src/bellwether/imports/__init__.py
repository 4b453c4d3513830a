"""Files that people keep elsewhere: accounts and contacts, exchange rates, targets, ranges of an industry."""
