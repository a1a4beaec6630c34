"""The components of the work page, and of the page of one job."""
