"""Recursive and recurrent networks that classify every phrase."""
