"""What backends, devices and families promise, checked one by one (`vitprof check-plugin`)."""
