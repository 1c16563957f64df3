"""What Metal has and compute kernels on the simulator do not: said where it is met."""

_TEXTURES = "textures and samplers are"
_STAGES = "graphics stages are"
_MESHES = "mesh and object functions are"
_RAYS = "ray tracing and visible functions are"

# Attributes, qualifiers of functions, and types of parameters without an attribute. Other uses of the
# types are errors of clang (csrc/sim/msl/mpsops_out_of_scope.h).
OUT_OF_SCOPE = {
    **dict.fromkeys(["texture", "sampler"], _TEXTURES),
    **dict.fromkeys(
        ["stage_in", "vertex", "fragment", "vertex_id", "instance_id", "position", "color", "patch"], _STAGES
    ),
    **dict.fromkeys(["imageblock", "imageblock_data", "tile"], "imageblocks are"),
    **dict.fromkeys(["mesh", "object", "payload", "mesh_grid_properties"], _MESHES),
    **dict.fromkeys(
        ["visible", "intersection", "stitchable", "ray_data", "accept_intersection", "distance"], _RAYS
    ),
}


def out_of_scope(name: str) -> str:
    return f"{name}: {OUT_OF_SCOPE[name]} out of scope of the simulator"
