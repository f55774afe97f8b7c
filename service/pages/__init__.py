"""What the recipient's page looks like and says: no script, nothing from elsewhere."""
