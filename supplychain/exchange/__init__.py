"""Exchange: formats of others, in and out, one file each; an import ends in a checked package or a clear refusal."""
