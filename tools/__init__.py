"""Scripts that produce files of this repository; they need the development dependencies and are not in the wheel."""
