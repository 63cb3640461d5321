"""Pictures as files and bytes: uploads, grids, previews, PNG."""
