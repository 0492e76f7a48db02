"""The cloud on a laptop: ministack started, the stack deployed to it, retrained and asked."""
