"""The tables and statements that 'make sql' compiles to 'store/sql.py'."""
