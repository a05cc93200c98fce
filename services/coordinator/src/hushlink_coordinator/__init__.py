"""Memory and judgement of the mesh: projects, uploads, planning, dispatch, solving, results."""
