"""The what-if application: drafts measured live, shown in a browser on this machine."""
