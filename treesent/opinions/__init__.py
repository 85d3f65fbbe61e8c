"""What people talk about, and what they think of it: heads that find opinions, and tables and reports of them."""
