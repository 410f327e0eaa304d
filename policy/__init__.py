"""What a site decides for itself: thresholds, mutes, priority, releases."""
