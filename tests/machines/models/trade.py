"""Makes a trade with a profit in the example's book, or takes it out again.

    trade.py [PROFIT]
"""

import sqlite3
import sys
import time

book = sqlite3.connect("/opt/quantum/data/quantum_trader.db", timeout=20)
with book:
    if len(sys.argv) > 1:
        trade = ("test", "X", "BUY", 1.0, 1.0, float(sys.argv[1]), time.time())
        book.execute("insert into trades values (?, ?, ?, ?, ?, ?, ?)", trade)
    else:
        book.execute("delete from trades where event_id = 'test'")
