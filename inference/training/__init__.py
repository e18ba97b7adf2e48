"""Training of the released network: anatomy, rendering to HU, the loop and its evaluation.

Nothing here is imported when a CT is analysed. The flow of one training patch::

    LabelSource (a label map, prepared once)  -> deformed LabelGeometry (2 mm, random)
        -> render_hu -> two HU windows and the network's targets

Arrays are ordered ``[R+, A+, S+]`` throughout, as `inference.networks.SpineUNet` sees them:
index 0 grows to the patient's right, index 1 to the front, index 2 to the head.
"""
