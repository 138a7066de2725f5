"""What a calm street does: one pure function of time for each quantity a device can measure."""
