"""The log: ledgers over bookies, and on top of them managed ledgers and cursors."""
