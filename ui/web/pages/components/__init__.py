"""What pages are put together from: Vue components in plain JavaScript, and the elements that place them."""
