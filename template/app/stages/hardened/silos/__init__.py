"""Silos: a database of its own for one tenant's rows of one service.

`create.make` makes one and `create.drop` removes it, on the server of SILO_ADMIN_DATABASE_URL.
"""
