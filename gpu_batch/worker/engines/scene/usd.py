"""USDZ for AR on Apple devices: one mesh with UsdPreviewSurface, packed as ARKit wants it."""

import pathlib
import tempfile

import cv2
import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdShade, UsdUtils, Vt

from worker.engines.scene.delivered import Delivered, encoded

TEXTURE_PX = 2048
"""AR Quick Look's advice for the longest side of a texture."""
_SMALLER_QUALITY = 90


def write(path: pathlib.Path, model: Delivered) -> None:
    """Write the model as USDZ.

    Raises:
        OSError: the package could not be made (e.g. the disk is full).
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        layer = pathlib.Path(folder) / "model.usdc"
        (layer.parent / "texture.jpg").write_bytes(_texture(model))
        stage = Usd.Stage.CreateNew(str(layer))
        _author(stage, model)
        stage.GetRootLayer().Save()
        if not UsdUtils.CreateNewARKitUsdzPackage(Sdf.AssetPath(str(layer)), str(path)):
            raise OSError(f"{path.name} could not be packed")


def _texture(model: Delivered) -> bytes:
    """The JPEG, made smaller where AR would not take it."""
    if model.texture_px <= TEXTURE_PX:
        return model.jpeg
    whole = cv2.imdecode(np.frombuffer(model.jpeg, np.uint8), cv2.IMREAD_COLOR)
    small = cv2.resize(whole, (TEXTURE_PX, TEXTURE_PX), interpolation=cv2.INTER_AREA)
    return encoded(np.asarray(small[..., ::-1], np.uint8), _SMALLER_QUALITY, len(model.jpeg))


def _author(stage: Usd.Stage, model: Delivered) -> None:
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    root = UsdGeom.Xform.Define(stage, "/Model")
    Usd.ModelAPI(root).SetKind("component")
    stage.SetDefaultPrim(root.GetPrim())
    mesh = UsdGeom.Mesh.Define(stage, "/Model/Mesh")
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(model.points))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray(len(model.faces), 3))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(model.faces.reshape(-1)))
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(model.normals))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateExtentAttr([Gf.Vec3f(*map(float, model.points.min(0))), Gf.Vec3f(*map(float, model.points.max(0)))])
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    mesh.CreateDoubleSidedAttr(not model.watertight)
    st = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex)
    st.Set(Vt.Vec2fArray.FromNumpy(model.uv))
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim()).Bind(_material(stage))


def _material(stage: Usd.Stage) -> UsdShade.Material:
    material = UsdShade.Material.Define(stage, "/Model/Photo")
    surface = UsdShade.Shader.Define(stage, "/Model/Photo/Surface")
    surface.CreateIdAttr("UsdPreviewSurface")
    surface.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(0.9)
    surface.CreateInput("metallic", Sdf.ValueTypeNames.Float).Set(0.0)
    reader = UsdShade.Shader.Define(stage, "/Model/Photo/Reader")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
    texture = UsdShade.Shader.Define(stage, "/Model/Photo/Texture")
    texture.CreateIdAttr("UsdUVTexture")
    texture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(Sdf.AssetPath("texture.jpg"))
    texture.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("sRGB")
    for wrap in ("wrapS", "wrapT"):
        texture.CreateInput(wrap, Sdf.ValueTypeNames.Token).Set("clamp")
    texture.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(
        reader.CreateOutput("result", Sdf.ValueTypeNames.Float2)
    )
    surface.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).ConnectToSource(
        texture.CreateOutput("rgb", Sdf.ValueTypeNames.Float3)
    )
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", Sdf.ValueTypeNames.Token))
    return material
