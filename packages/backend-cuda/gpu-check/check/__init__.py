"""What `pnpm gpu:check` consists of. Needs Python alone: neither Node nor a network."""
