"""The loops that run beside the routes: following the engine, and delivering."""
