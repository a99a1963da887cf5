"""One file a family of rules; each rule is metadata, one lazy query and worked examples."""
