"""Programs that look for what an attacker would: every request of every caller, and keys that rotate meanwhile."""
