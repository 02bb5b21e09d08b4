"""How the connector is served: the only package, with app.py, that imports Starlette."""
