"""The demo: a small company, its three projects and two months of its work. Made by `manage.py demo`."""
