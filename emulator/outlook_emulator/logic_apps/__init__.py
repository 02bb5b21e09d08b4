"""Points a Logic Apps project at the emulator, and back."""
