"""The classes of operations that run time is divided into, and which operation is of which class.

Memory-bound are those that EfficientViT (section 2.1, figure 2) calls so: their time is that of
memory accesses. Compute-bound are the products of matrices and the convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence

MATMUL = "matrix multiply"
CONVOLUTION = "convolution"
COPY = "reshape/transpose/copy"
ELEMENTWISE = "element-wise"
NORMALISATION = "normalisation"
SOFTMAX = "softmax"
OTHER = "other"

CLASSES = (MATMUL, CONVOLUTION, COPY, ELEMENTWISE, NORMALISATION, SOFTMAX)
COMPUTE_BOUND = (MATMUL, CONVOLUTION)
MEMORY_BOUND = (COPY, ELEMENTWISE, NORMALISATION, SOFTMAX)

# Operations of ONNX Runtime that hand on their input under another shape: nothing is moved.
ONNX_VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})

# A fused node counts for the class of its heaviest part: what is fused into a product or a
# convolution (bias, activation, addition) for that; an attention in one node, whose softmax and
# transposes are inside, for matrix multiply; a normalisation with the addition before it for
# normalisation; an activation with the bias before it for element-wise.
_ONNX: dict[str, str] = {
    MATMUL: """
        MatMul FusedMatMul FusedMatMulActivation TransposeMatMul Gemm FusedGemm GemmFastGelu
        MatMulInteger MatMulIntegerToFloat DynamicQuantizeMatMul QLinearMatMul QGemm MatMulNBits
        Einsum Attention QAttention MultiHeadAttention GroupQueryAttention PackedAttention
        PackedMultiHeadAttention DecoderMaskedMultiHeadAttention
    """,
    CONVOLUTION: """
        Conv FusedConv NhwcConv NhwcFusedConv ConvInteger QLinearConv ConvTranspose DeformConv
    """,
    COPY: """
        Reshape Flatten Squeeze Unsqueeze Identity Transpose Cast CastLike Concat Split Slice Gather
        GatherElements GatherND ScatterElements ScatterND Pad Expand Tile DepthToSpace SpaceToDepth
        Shape Size Constant ConstantOfShape Range Compress ReorderInput ReorderOutput Col2Im Trilu
        MemcpyFromHost MemcpyToHost
    """,
    # Reductions and pooling too: they read each element once.
    ELEMENTWISE: """
        Add Sub Mul Div Neg Abs Sqrt Reciprocal Pow Exp Log Erf Sin Cos Tan Floor Ceil Round Sign
        Mod Min Max Mean Sum Clip Where Equal Greater GreaterOrEqual Less LessOrEqual Not And Or Xor
        Relu LeakyRelu PRelu Elu Selu Celu ThresholdedRelu Sigmoid HardSigmoid HardSwish Swish Tanh
        Softplus Softsign Mish Gelu FastGelu BiasGelu QuickGelu BiasSplitGelu BiasAdd Silu
        Resize Upsample Dropout BiasDropout QuantizeLinear DequantizeLinear DynamicQuantizeLinear
        ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare
        ReduceLogSum ReduceLogSumExp ArgMax ArgMin CumSum IsNaN IsInf
        GlobalAveragePool GlobalMaxPool AveragePool MaxPool
    """,
    NORMALISATION: """
        LayerNormalization SkipLayerNormalization SimplifiedLayerNormalization
        SkipSimplifiedLayerNormalization RMSNormalization EmbedLayerNormalization BatchNormalization
        InstanceNormalization GroupNormalization GroupNorm SkipGroupNorm LpNormalization
        MeanVarianceNormalization LRN
    """,
    SOFTMAX: "Softmax LogSoftmax BiasSoftmax Hardmax QLinearSoftmax",
}
_CLASS_OF_ONNX = {op: name for name, ops in _ONNX.items() for op in ops.split()}

# What ONNX Runtime makes of a Softmax whose dtype it has no kernel for (fp16 on CPUs).
_SOFTMAX_IN_PARTS = ("ReduceMax", "Sub", "Exp", "ReduceSum", "Div")


def classes_of_onnx(ops: Sequence[str]) -> list[str]:
    """Return the class of each of the operations that ONNX Runtime executes one after another.

    Their order matters for one thing: a softmax that was taken apart is still one.
    """
    classes = [_CLASS_OF_ONNX.get(op, OTHER) for op in ops]
    computing = [position for position, op in enumerate(ops) if op != "Cast"]
    for start in range(len(computing) - len(_SOFTMAX_IN_PARTS) + 1):
        window = computing[start : start + len(_SOFTMAX_IN_PARTS)]
        if tuple(ops[position] for position in window) == _SOFTMAX_IN_PARTS:
            for position in window:
                classes[position] = SOFTMAX
    return classes


# Operations of OpenVINO: those of its files, and those that its CPU plugin makes of them. Others
# are called as in ONNX.
_OPENVINO: dict[str, str] = {
    MATMUL: """
        FullyConnected FullyConnectedCompressed ScaledDotProductAttention
        ScaledDotProductAttentionWithKVCache MHA QKVProjection LLMMLP
    """,
    CONVOLUTION: """
        Convolution GroupConvolution Deconvolution ConvolutionBackpropData
        GroupConvolutionBackpropData BinaryConvolution DeformableConvolution
    """,
    COPY: """
        Reorder Concatenation VariadicSplit StridedSlice Broadcast Convert ConvertLike Roll
        ShuffleChannels SpaceToBatch BatchToSpace ShapeOf ExtractImagePatches GatherTree
        EmbeddingBagOffsetsSum ScatterUpdate ScatterElementsUpdate ScatterNDUpdate MemoryInput
        MemoryOutput Scatter
    """,
    ELEMENTWISE: """
        Eltwise Subgraph FakeQuantize Math Pooling AvgPool MaxPool Reduce Multiply Subtract Divide
        Power Squared SquaredDifference Maximum Minimum Negative Select HSwish HSigmoid SoftPlus
        SoftSign Interpolate TopK AdaptiveAvgPool AdaptivePooling AdaptiveMaxPool Activation
        LogicalNot LogicalAnd LogicalOr
    """,
    NORMALISATION: "MVN NormalizeL2 RMS RMSNorm GroupNormalization BatchNormInference",
    SOFTMAX: "SoftMax",
}
_CLASS_OF_OPENVINO = _CLASS_OF_ONNX | {
    op: name for name, ops in _OPENVINO.items() for op in ops.split()
}
_HEAVIEST_FIRST = (MATMUL, CONVOLUTION, NORMALISATION, SOFTMAX, ELEMENTWISE, COPY)


def class_of_openvino(op: str) -> str:
    """Return the class of an operation as OpenVINO calls it."""
    return _CLASS_OF_OPENVINO.get(op, OTHER)


def heaviest_class(classes: Sequence[str]) -> str | None:
    """Return the class that a node fused of such parts counts for; None without a known part."""
    return next((one for one in _HEAVIEST_FIRST if one in classes), None)


_ATEN: dict[str, str] = {
    MATMUL: """
        mm bmm addmm baddbmm addbmm addmv mv dot linear matmul einsum bilinear mkldnn_linear
        scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu
        _scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention
        _scaled_dot_product_attention_math _native_multi_head_attention
    """,
    CONVOLUTION: """
        conv1d conv2d conv3d convolution _convolution mkldnn_convolution thnn_conv2d
        _slow_conv2d_forward slow_conv2d_forward _conv_depthwise2d conv_depthwise3d
        convolution_overrideable conv_transpose2d cudnn_convolution _nnpack_available
    """,
    COPY: """
        reshape _reshape_alias _reshape_copy view view_as _unsafe_view unflatten flatten squeeze
        unsqueeze transpose t permute movedim swapaxes expand expand_as as_strided narrow slice
        select split split_with_sizes chunk unbind unsafe_split unsafe_chunk tensor_split alias
        detach diagonal contiguous clone copy to _to_copy cat concat stack hstack index
        index_select gather embedding roll flip pad constant_pad_nd repeat repeat_interleave tile
        pixel_shuffle pixel_unshuffle im2col col2im unfold empty empty_like empty_strided new_empty
        new_empty_strided new_zeros new_ones new_full zeros zeros_like ones ones_like full full_like
        zero fill resize set arange lift_fresh item _local_scalar_dense resolve_conj resolve_neg
        type_as scalar_tensor channel_shuffle result_type is_nonzero
    """,
    ELEMENTWISE: """
        add sub rsub mul div neg abs sqrt rsqrt reciprocal pow exp log log2 erf sin cos tan floor
        ceil round sign minimum maximum clamp clamp_min clamp_max where masked_fill eq ne gt ge lt
        le logical_not logical_and logical_or relu leaky_relu prelu elu selu celu relu6 sigmoid
        hardsigmoid hardswish hardtanh silu tanh softplus mish gelu glu dropout addcmul addcdiv lerp
        mean sum amax amin max min prod norm linalg_vector_norm argmax cumsum var var_mean std
        square avg_pool2d max_pool2d max_pool2d_with_indices adaptive_avg_pool2d
        _adaptive_avg_pool2d adaptive_max_pool2d upsample_bilinear2d upsample_nearest2d
        upsample_bicubic2d bitwise_not bitwise_and isnan
    """,
    NORMALISATION: """
        layer_norm native_layer_norm batch_norm _batch_norm_impl_index native_batch_norm
        _native_batch_norm_legit_no_training mkldnn_batch_norm cudnn_batch_norm group_norm
        native_group_norm instance_norm rms_norm normalize
    """,
    SOFTMAX: "softmax _softmax log_softmax _log_softmax _safe_softmax",
}
_CLASS_OF_ATEN = {op: name for name, ops in _ATEN.items() for op in ops.split()}

# These call other operations, whose time is theirs: a `matmul` may copy its operands first.
_CALLERS = """
    linear matmul einsum conv1d conv2d conv3d convolution _convolution thnn_conv2d layer_norm
    batch_norm group_norm instance_norm normalize softmax log_softmax _safe_softmax dropout pad
    adaptive_avg_pool2d scaled_dot_product_attention _scaled_dot_product_attention_math
"""
_ATEN_CALLERS = frozenset(_CALLERS.split())


def class_of_aten(op: str) -> str:
    """Return the class of an operation of PyTorch, "aten::add_" or "add"."""
    name = _plain(op)
    # in-place variants end in one underscore
    return _CLASS_OF_ATEN.get(name) or _CLASS_OF_ATEN.get(name.removesuffix("_"), OTHER)


def only_calls_others(op: str) -> bool:
    """Tell whether a PyTorch operation is a caller of others rather than a kernel of its own."""
    return _plain(op) in _ATEN_CALLERS


def _plain(op: str) -> str:
    return op.rpartition("::")[2].partition(".")[0]
